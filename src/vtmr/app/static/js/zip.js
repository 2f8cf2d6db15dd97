// Many files as one ZIP, stored as they are: what the server takes files in.

const MOST = 65_535; // members, without ZIP64
const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const UTF8_NAMES = 0x0800;
const VERSION = 20;
const FIRST_DAY = 33; // 1 January 1980, the first that a ZIP knows

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** @param {Uint8Array} bytes */
export function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** @typedef {{ name: Uint8Array<ArrayBuffer>, crc: number, size: number, offset: number }} Member */

/**
 * A ZIP of `members`, each {name, file}, as a Blob. `name` is a path with forward slashes.
 *
 * @param {{ name: string, file: Blob }[]} members
 */
export async function zipOf(members) {
  if (members.length > MOST) throw new RangeError(`${members.length} files are too many: expected at most ${MOST}.`);
  const parts = [];
  const central = [];
  let offset = 0;
  for (const { name, file } of members) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const member = { name: new TextEncoder().encode(name), crc: crc32(bytes), size: bytes.length, offset };
    const head = localHeader(member);
    parts.push(head, member.name, file);
    central.push(centralHeader(member), member.name);
    offset += head.byteLength + member.name.length + member.size;
  }
  const length = central.reduce((sum, part) => sum + part.byteLength, 0);
  return new Blob([...parts, ...central, endRecord(members.length, length, offset)], { type: "application/zip" });
}

/** @param {Omit<Member, "offset">} member */
function localHeader({ name, crc, size }) {
  const head = new DataView(new ArrayBuffer(30));
  head.setUint32(0, LOCAL, true);
  head.setUint16(4, VERSION, true);
  describe(head, 6, { name, crc, size });
  return head;
}

/** @param {Member} member */
function centralHeader({ name, crc, size, offset }) {
  const head = new DataView(new ArrayBuffer(46));
  head.setUint32(0, CENTRAL, true);
  head.setUint16(4, VERSION, true);
  head.setUint16(6, VERSION, true);
  describe(head, 8, { name, crc, size });
  head.setUint32(42, offset, true);
  return head;
}

/**
 * What both headers of a member say of it, from `at` on: flags, no compression, date, sum, sizes, length of name.
 *
 * @param {DataView} head
 * @param {number} at
 * @param {Omit<Member, "offset">} member
 */
function describe(head, at, { name, crc, size }) {
  head.setUint16(at, UTF8_NAMES, true);
  head.setUint16(at + 6, FIRST_DAY, true);
  head.setUint32(at + 8, crc, true);
  head.setUint32(at + 12, size, true);
  head.setUint32(at + 16, size, true);
  head.setUint16(at + 20, name.length, true);
}

/**
 * @param {number} count
 * @param {number} length
 * @param {number} offset
 */
function endRecord(count, length, offset) {
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, END, true);
  end.setUint16(8, count, true);
  end.setUint16(10, count, true);
  end.setUint32(12, length, true);
  end.setUint32(16, offset, true);
  return end;
}
