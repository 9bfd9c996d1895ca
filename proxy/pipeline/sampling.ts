/**
 * Whether a request belongs to the share `rate` of all of them (0 to 1). It depends on its id alone: whoever samples by the same id and rate, in whatever
 * process, has the same requests, and who samples less has some of those of who samples more.
 */
export function isSampled (id: string, rate: number): boolean {
  return spread(id) < rate * 0x1_0000_0000
}

/** FNV-1a, and the last steps of MurmurHash3 behind it: ids that a client made up may differ in a digit only. */
function spread (id: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b)
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35)
  return (hash ^ hash >>> 16) >>> 0
}
