/** Names an agent's program may need to run at all. Everything else of the proxy's environment stays with the proxy. */
const passedOn = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'NODE_ENV', 'NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS'] as const

/** What of the proxy's environment reaches the programs of agents. */
export function inherited (env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of passedOn) {
    const value = env[name]
    if (value !== undefined) kept[name] = value
  }
  return kept
}
