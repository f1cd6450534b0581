-- Run by opendkim for each message (FinalPolicyScript: the one of its hooks that may refuse with words of its own). Who has
-- logged in writes in their own name: Postfix has checked that the sender of the envelope is the one that logged in
-- (reject_sender_login_mismatch); this refuses a From header that names another.
-- At its start opendkim runs it once without a message; an error then ends opendkim.

local login = odkim.get_mtasymbol(ctx, "{auth_authen}")
if login == nil or login == "" then
    return nil
end

-- The one address of a From field, in lower case; nil where there is none, or more than one, or a form that two readers
-- may read differently. Comments and quoted words name nobody (RFC 5322, 3.2.2 and 3.2.4).
local function author(field)
    local text, depth, quoted, skip, kept = field:gsub("%s+", " "), 0, false, false, {}
    for char in text:gmatch(".") do
        if skip then
            skip = false
        elseif char == "\\" then
            if not quoted and depth == 0 then
                return nil
            end
            skip = true
        elseif quoted then
            quoted = char ~= '"'
        elseif char == "(" then
            depth = depth + 1
        elseif char == ")" then
            depth = depth - 1
            if depth < 0 then
                return nil
            end
        elseif depth == 0 then
            if char == '"' then
                quoted = true
            else
                kept[#kept + 1] = char
            end
        end
    end
    local bare = table.concat(kept)
    if quoted or depth > 0 or bare:find("[,;:]") then
        return nil
    end
    local found = bare:match("^[^<>@]*<([^<>@%s]+@[^<>@%s]+)>%s*$") or bare:match("^%s*([^<>@%s]+@[^<>@%s]+)%s*$")
    return found and found:lower()
end

local field, another = odkim.get_header(ctx, "From", 0), odkim.get_header(ctx, "From", 1)
local found = field and not another and author(field)
local sender = (odkim.get_envfrom(ctx) or ""):gsub("[<>]", ""):lower()
if not found or (found ~= sender and found ~= login:lower()) then
    odkim.set_reply(ctx, "550", "5.7.1", "the From header is not that of the account that logged in")
    odkim.set_result(ctx, SMFIS_REJECT)
end
return nil
