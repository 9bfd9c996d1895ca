/** Bits of the code of each octet, and of the end mark (RFC 7541 appendix B). The code is canonical: lengths are all there is to know. */
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
]
const endMark = 256

/** Code of each octet, right-aligned. */
const codes = new Uint32Array(lengths.length)

/**
 * One row of 16 for each inner node of the code's tree: what four more bits lead to. Bits 0-7 the octet they complete, bit 8 whether they
 * complete one, bit 9 whether they lead to the end mark, which is an error; bits 16 and up the node behind them. No code is shorter than five bits.
 */
const steps = new Uint32Array(256 * 16)
const completes = 0x100
const leadsAstray = 0x200

/** Nodes at which a text may end: at most seven bits after an octet, all of them ones (RFC 7541 section 5.2). */
const mayEnd = new Uint8Array(256)

build()

function build (): void {
  const order = lengths.map((_, symbol) => symbol).sort((a, b) => lengths[a]! - lengths[b]! || a - b)
  let code = 0
  let bits = 0
  for (const symbol of order) {
    code <<= lengths[symbol]! - bits
    bits = lengths[symbol]!
    codes[symbol] = code++
  }
  // The tree: [left, right] of each inner node; a leaf is -1 - symbol.
  const tree: Array<[number, number]> = [[0, 0]]
  for (const symbol of order) {
    let node = 0
    for (let bit = lengths[symbol]! - 1; bit > 0; bit--) {
      const side = codes[symbol]! >>> bit & 1
      if (tree[node]![side] === 0) tree[node]![side] = tree.push([0, 0]) - 1
      node = tree[node]![side]!
    }
    tree[node]![codes[symbol]! & 1] = -1 - symbol
  }
  tree.forEach((_, node) => {
    for (let nibble = 0; nibble < 16; nibble++) steps[node * 16 + nibble] = stepFrom(tree, node, nibble)
  })
  for (let node = 0, depth = 0; depth < 8; depth++, node = tree[node]![1]!) mayEnd[node] = 1
}

function stepFrom (tree: ReadonlyArray<[number, number]>, from: number, nibble: number): number {
  let node = from
  let found = 0
  for (let bit = 3; bit >= 0; bit--) {
    const next = tree[node]![nibble >>> bit & 1]!
    if (next >= 0) node = next
    else if (next === -1 - endMark) return leadsAstray
    else {
      found = completes | -1 - next
      node = 0
    }
  }
  return node << 16 | found
}

/** Where texts are decoded to; a text of `n` octets never becomes longer than 8n/5. Grows with the longest that was seen. */
let room = Buffer.allocUnsafeSlow(16 * 1024)

/** The text that `bytes` from `start` to `end` stand for, latin1; `undefined` when they are no text. */
export function decodeHuffman (bytes: Buffer, start: number, end: number): string | undefined {
  if (room.length < (end - start) * 2) room = Buffer.allocUnsafeSlow((end - start) * 2)
  const out = room
  let length = 0
  let node = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    let step = steps[node * 16 + (byte >>> 4)]!
    if ((step & completes) !== 0) out[length++] = step & 255
    else if ((step & leadsAstray) !== 0) return undefined
    step = steps[(step >>> 16) * 16 + (byte & 15)]!
    if ((step & completes) !== 0) out[length++] = step & 255
    else if ((step & leadsAstray) !== 0) return undefined
    node = step >>> 16
  }
  return mayEnd[node] === 1 ? out.toString('latin1', 0, length) : undefined
}

/** `text` (latin1) in Huffman code, latin1. */
export function encodeHuffman (text: string): string {
  let out = ''
  let held = 0
  let bits = 0
  for (let at = 0; at < text.length; at++) {
    const symbol = text.charCodeAt(at)
    let left = lengths[symbol]!
    // In two parts: up to seven held bits and thirty new ones are more than a bit operation takes.
    while (left > 0) {
      const taken = Math.min(left, 16)
      left -= taken
      held = held << taken | codes[symbol]! >>> left & (1 << taken) - 1
      bits += taken
      for (; bits >= 8; bits -= 8) out += String.fromCharCode(held >>> bits - 8 & 255)
      held &= 255
    }
  }
  return bits === 0 ? out : out + String.fromCharCode((held << 8 - bits | (1 << 8 - bits) - 1) & 255)
}
