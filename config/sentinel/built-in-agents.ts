/** Agent types that come with the proxy. */
export const builtInAgents: ReadonlySet<string> = new Set(['waf', 'denylist', 'js'])
