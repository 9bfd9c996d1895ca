import { block, defineAgent, integer, ipFinder, ipRange, list, setting, text, type Decision } from 'sentinel/sdk'
import { pathRule, userAgentRule, type TextRule } from './rules.ts'

/** Refuses requests by client address, path or user agent. */
export const denylist = defineAgent({
  name: 'denylist',
  version: '0.1.0',
  config: {
    blockIps: list(ipRange, [], 'Client addresses and networks, IPv4 and IPv6.'),
    blockPaths: list(pathRule, [], 'Paths: exact, ending in `*` for everything that begins so, or a regular expression between slashes.'),
    blockUserAgents: list(userAgentRule, [], 'Parts of the User-Agent in any case, or regular expressions between slashes.'),
    blockCountries: list(text, [], 'Countries of the client address. No effect: this version has no geo database.'),
    blockResponseCode: setting(integer(400, 599), 403, 'Status of the refusal.'),
    blockMessage: setting(text, 'Access denied', 'Body of the refusal. It should not tell what would have passed.'),
  },

  prepare (config) {
    return {
      findIp: ipFinder(config.blockIps.map((range) => [range, range.text] as const)),
      refuse (reason: string, rule: string): Decision {
        return block(config.blockResponseCode, {
          body: config.blockMessage,
          // 404, 410 and 451 may be kept by caches unless told otherwise (RFC 9110 section 15.1).
          headers: { 'Cache-Control': 'no-store' },
          audit: { reason, ruleIds: [rule], tags: ['denylist'], severity: 'medium', confidence: 1 },
        })
      },
    }
  },

  onRequest (request, { config, state }) {
    const range = state.findIp(request.ip)
    if (range !== undefined) return state.refuse('ip_blocked', `block-ips ${range}`)
    const path = firstMatch(config.blockPaths, request.path)
    if (path !== undefined) return state.refuse('path_blocked', `block-paths ${path}`)
    // A client can send the field twice: both are looked at.
    const userAgent = request.headers.get('user-agent')
    const agent = userAgent === undefined ? undefined : firstMatch(config.blockUserAgents, userAgent)
    return agent === undefined ? undefined : state.refuse('user_agent_blocked', `block-user-agents ${agent}`)
  },

  onConfigure (config, { validateOnly, log }) {
    if (config.blockCountries.length === 0 || validateOnly) return
    log.warn({ countries: config.blockCountries }, 'block-countries has no effect: this version has no geo database')
  },
})

function firstMatch (rules: readonly TextRule[], text: string): string | undefined {
  return rules.find((rule) => rule.matches(text))?.written
}
