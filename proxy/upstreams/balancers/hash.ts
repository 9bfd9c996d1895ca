/** 32 bits of a text, spread evenly: FNV-1a with the finish of MurmurHash3. The same in every process. */
export function hashOf (text: string): number {
  let hash = 0x811c_9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193)
  return mixed(hash)
}

/** Every bit of the result depends on every bit of the input, and no two inputs give the same. */
export function mixed (bits: number): number {
  let hash = bits
  hash = Math.imul(hash ^ hash >>> 16, 0x85eb_ca6b)
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2_ae35)
  return (hash ^ hash >>> 16) >>> 0
}

/** What `name` is worth to `key`, above 0: whoever is worth most gets it, each with the chance of its weight (rendezvous hashing). */
export function worth (key: number, name: number, weight: number): number {
  return weight / -Math.log((mixed(mixed(key ^ name) + name | 0) + 0.5) / 0x1_0000_0000)
}
