/** What went wrong and where in the script, as JSON. Reads what a script threw, which may be anything. */
export function describeThrown (thrown: unknown, file: string): string {
  try {
    const { name, message, stack } = typeof thrown === 'object' && thrown !== null ? thrown as { name?: unknown, message?: unknown, stack?: unknown } : {}
    const text = message === undefined ? shown(thrown) : `${typeof name === 'string' ? name : 'Error'}: ${shown(message)}`
    const trace = typeof stack === 'string' ? stack : ''
    const at = trace.indexOf(`${file}:`)
    const [, line, column] = /^:(\d+):(\d+)/.exec(at < 0 ? '' : trace.slice(at + file.length)) ?? []
    return JSON.stringify({ message: text.slice(0, 500), ...line === undefined ? {} : { line: Number(line), column: Number(column) } })
  } catch {
    return JSON.stringify({ message: 'something was thrown that cannot be shown' })
  }
}

/**
 * What `error.stack` reads. Node's own way to write it is code of the host, which would throw errors of the host where a name is none; and it would show
 * the frames to whoever set `prepareStackTrace`.
 */
export function stackOf (error: unknown, frames: readonly { toString (): string }[]): string {
  let text
  try {
    text = Error.prototype.toString.call(error)
  } catch {
    text = 'Error'
  }
  for (let i = 0; i < frames.length; i++) text += `\n    at ${frames[i]!.toString()}`
  return text
}

/** A value in a line of the log. */
export function shown (value: unknown): string {
  if (typeof value === 'string') return value
  try {
    if (value instanceof Error) return value.stack ?? String(value)
    if (typeof value !== 'object' || value === null) return String(value)
    const above: unknown[] = []
    return JSON.stringify(value, function (this: unknown, _, one: unknown) {
      if (typeof one === 'bigint') return `${one}n`
      if (one instanceof Error) return one.stack ?? String(one)
      if (typeof one !== 'object' || one === null) return one
      while (above.length > 0 && above[above.length - 1] !== this) above.pop()
      if (above.includes(one)) return '[circular]'
      above.push(one)
      return one
    }) ?? Object.prototype.toString.call(value)
  } catch {
    return '[something that cannot be shown]'
  }
}
