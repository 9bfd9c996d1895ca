/** An event of a stream, 100 bytes: its number and when it was sent, in milliseconds that mean the same in every process here. */
export function event (number: number): string {
  return `data: ${String(number).padStart(10)} ${now().toFixed(3).padStart(20)} `.padEnd(98, '.').concat('\n\n')
}

/** Reads what `event` wrote; undefined when it is anything else. */
export function readEvent (text: string): { readonly number: number, readonly sentMs: number } | undefined {
  const found = /^data: +(\d+) +([\d.]+) \.+$/.exec(text)
  return found === null ? undefined : { number: Number(found[1]), sentMs: Number(found[2]) }
}

export function now (): number {
  return performance.timeOrigin + performance.now()
}
