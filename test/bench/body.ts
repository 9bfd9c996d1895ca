/** Content whose every eight bytes say where they belong: what is lost, doubled or out of order shows. */
export function body (bytes: number): Buffer {
  const whole = Buffer.alloc(Math.ceil(bytes / 8) * 8, '.')
  for (let at = 0; at < whole.length; at += 8) whole.write(at.toString(16).padStart(7, '0'), at, 'latin1')
  return whole.subarray(0, bytes)
}

export const sizes = { '100b': 100, '10k': 10 * 1024, '1m': 1024 * 1024 } as const
