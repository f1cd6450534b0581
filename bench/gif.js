// frames: [{png: data URL, hold: hundredths of a second}] -> an animated GIF as base64.
// One palette for all frames, of the most frequent colours; of each frame only the pixels that changed.
async (frames) => {
  const COLOURS = 255, CLEAR = 255;
  const pictures = [];
  for (const frame of frames) {
    const image = new Image();
    image.src = frame.png;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height), pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(image, 0, 0);
    pictures.push(pen.getImageData(0, 0, image.width, image.height));
  }
  const { width, height } = pictures[0], bytes = [];
  const key = (data, at) => ((data[at] >> 3) << 10) | ((data[at + 1] >> 3) << 5) | (data[at + 2] >> 3);
  const sums = new Map();
  for (const { data } of pictures) {
    for (let at = 0; at < data.length; at += 4) {
      const name = key(data, at), sum = sums.get(name) || [0, 0, 0, 0];
      sum[0]++; sum[1] += data[at]; sum[2] += data[at + 1]; sum[3] += data[at + 2];
      sums.set(name, sum);
    }
  }
  const palette = [...sums.values()].sort((a, b) => b[0] - a[0]).slice(0, COLOURS).map(([n, r, g, b]) => [Math.round(r / n), Math.round(g / n), Math.round(b / n)]);
  const nearest = new Map();
  const index = (data, at) => {
    const name = key(data, at);
    if (!nearest.has(name)) {
      let best = 0, least = Infinity;
      palette.forEach(([r, g, b], place) => {
        const far = (r - data[at]) ** 2 + (g - data[at + 1]) ** 2 + (b - data[at + 2]) ** 2;
        if (far < least) { best = place; least = far; }
      });
      nearest.set(name, best);
    }
    return nearest.get(name);
  };
  const short = (value) => bytes.push(value & 255, value >> 8);
  const lzw = (pixels) => {
    let size = 9, next = 258, code = 256, table = new Map(), buffer = 0, bits = 0;
    const out = [];
    const put = (value) => {
      buffer |= value << bits; bits += size;
      while (bits >= 8) { out.push(buffer & 255); buffer >>>= 8; bits -= 8; }
    };
    put(256);
    let prefix = pixels[0];
    for (let at = 1; at < pixels.length; at++) {
      const name = prefix * 256 + pixels[at], known = table.get(name);
      if (known !== undefined) { prefix = known; continue; }
      put(prefix);
      if (next < 4096) {
        table.set(name, next++);
        if (next > (1 << size) && size < 12) size++;
      } else { put(code); table = new Map(); size = 9; next = 258; }
      prefix = pixels[at];
    }
    put(prefix); put(257);
    if (bits) out.push(buffer & 255);
    bytes.push(8);
    for (let at = 0; at < out.length; at += 255) { const part = out.slice(at, at + 255); bytes.push(part.length, ...part); }
    bytes.push(0);
  };
  bytes.push(...new TextEncoder().encode("GIF89a"));
  short(width); short(height); bytes.push(0xf7, 0, 0);
  for (let at = 0; at < 256; at++) bytes.push(...(palette[at] || [0, 0, 0]));
  bytes.push(0x21, 0xff, 11, ...new TextEncoder().encode("NETSCAPE2.0"), 3, 1, 0, 0, 0);
  let before = null;
  pictures.forEach(({ data }, number) => {
    const now = new Uint8Array(width * height);
    for (let at = 0; at < now.length; at++) now[at] = index(data, at * 4);
    let [left, top, right, bottom] = before ? [width, height, 0, 0] : [0, 0, width - 1, height - 1];
    if (before) {
      for (let at = 0; at < now.length; at++) {
        if (now[at] === before[at]) continue;
        const x = at % width, y = (at - x) / width;
        left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y);
      }
      if (right < left) [left, top, right, bottom] = [0, 0, 0, 0];
    }
    bytes.push(0x21, 0xf9, 4, 0x05); short(frames[number].hold); bytes.push(CLEAR, 0, 0x2c);
    short(left); short(top); short(right - left + 1); short(bottom - top + 1); bytes.push(0);
    const pixels = [];
    for (let y = top; y <= bottom; y++) for (let x = left; x <= right; x++) {
      const at = y * width + x;
      pixels.push(before && before[at] === now[at] ? CLEAR : now[at]);
    }
    lzw(pixels);
    before = now;
  });
  bytes.push(0x3b);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.slice(at, at + 8192));
  return btoa(text);
}
