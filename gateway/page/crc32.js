// CRC-32 (IEEE 802.3) of ASCII text.

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(text) {
  let value = 0xffffffff;
  for (let at = 0; at < text.length; at += 1) {
    value = TABLE[(value ^ text.charCodeAt(at)) & 0xff] ^ (value >>> 8);
  }
  return (value ^ 0xffffffff) >>> 0;
}
