<?php
// What a visitor sends, looked at before anything else sees it.
declare(strict_types=1);

/** A field as text, empty where it is missing. Throws Refused for a list, and for what is not UTF-8. */
function text(array $fields, string $name): string
{
    $said = $fields[$name] ?? '';
    if (!is_string($said) || preg_match('//u', $said) !== 1) {
        throw new Refused("'$name' is one text in UTF-8", 400);
    }
    return $said;
}

/** Throws Refused when the whole form is larger than PHP takes: then it has given none of its fields. */
function fits(array $server, int $largest): void
{
    if ((int) ($server['CONTENT_LENGTH'] ?? 0) > ($largest + 1) * 1024 * 1024) {
        throw new Refused("an upload is a PNG, JPEG, GIF or WebP of at most $largest MiB", 413);
    }
}

/** The entry of $_FILES for the picture, or null. Throws Refused when it is too large, broken off, or a list. */
function upload(array $files, int $largest): ?array
{
    $file = $files['upload'] ?? ['error' => UPLOAD_ERR_NO_FILE];
    return match ($file['error']) {
        UPLOAD_ERR_NO_FILE => null,
        UPLOAD_ERR_OK => $file,
        UPLOAD_ERR_INI_SIZE, UPLOAD_ERR_FORM_SIZE =>
            throw new Refused("an upload is a PNG, JPEG, GIF or WebP of at most $largest MiB", 413),
        UPLOAD_ERR_PARTIAL => throw new Refused('the upload broke off', 400),
        default => throw is_array($file['error']) ? new Refused("'upload' is one file", 400)
            : new RuntimeException("PHP could not take the upload: error {$file['error']}"),
    };
}

/**
 * Throws Refused when a page of another site sent the form: each browser says where it is from, by Sec-Fetch-Site (all
 * since 2023) or by Origin; a program says neither.
 */
function from_here(array $server): void
{
    $site = $server['HTTP_SEC_FETCH_SITE'] ?? null;
    $origin = $server['HTTP_ORIGIN'] ?? null;
    $foreign = $site !== null && !in_array($site, ['same-origin', 'none'], true);
    if ($site === null && $origin !== null) {
        $parts = parse_url($origin);
        $from = strtolower(($parts['host'] ?? '') . (isset($parts['port']) ? ":{$parts['port']}" : ''));
        $foreign = $from !== strtolower($server['HTTP_HOST'] ?? '');
    }
    if ($foreign) {
        throw new Refused('the form was sent from another site', 403);
    }
}
