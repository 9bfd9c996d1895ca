/** Shorter ones would hide half of what is shown, and are no secrets. */
const shortest = 4

/** Members that hold words of this program, or what stands on the command line itself. */
const own: ReadonlySet<string> = new Set(['request', 'found', 'why', 'note', 'protocol', 'by', 'mode', 'failureMode', 'events', 'balancing'])

/**
 * The same value with every text in it that came from the environment or a file taken out: what a command prints ends in tickets and
 * chats. Also where it was put into quotes, cut or lower-cased.
 */
export function withhold<T> (value: T, secrets: ReadonlySet<string>): T {
  const hidden = [...secrets].filter(({ length }) => length >= shortest)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), secret.slice(0, 97)])
    .flatMap((text) => [text, text.toLowerCase(), text.toUpperCase()])
  const texts = [...new Set(hidden)].sort((a, b) => b.length - a.length)
  // Texts become other texts, nothing else changes.
  return texts.length === 0 ? value : shown(value, texts) as T
}

function shown (value: unknown, hidden: readonly string[]): unknown {
  if (typeof value === 'string') return hidden.reduce((text, secret) => text.replaceAll(secret, '(withheld)'), value)
  if (Array.isArray(value)) return value.map((one) => shown(one, hidden))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, own.has(key) ? one : shown(one, hidden)]))
  }
  return value
}
