import { block, defineAgent, list, redact, serve, text } from 'sentinel/sdk'

await serve(defineAgent({
  name: 'tool-policy',
  config: {
    deny: list(text, [], 'Tools that nobody may call.'),
    folders: list(text, ['/srv/shared'], 'Folders that files may be read from.'),
  },

  onToolCall (call, _request, { config }) {
    if (config.deny.includes(call.tool)) return block(undefined, { audit: { reason: 'denied_tool', ruleIds: [call.tool] } })
    const { path } = call.arguments
    if (path === undefined) return undefined
    const isInside = typeof path === 'string' && !path.split('/').includes('..') && config.folders.some((folder) => path.startsWith(`${folder}/`))
    if (!isInside) return block(undefined, { audit: { reason: 'outside_of_the_folders' } })
  },

  onToolResult (result) {
    const clean = result.resultJson.replace(/sk-[A-Za-z0-9]{20,}/g, '[key]')
    if (clean !== result.resultJson) return redact({ replaceBody: clean, audit: { redactions: ['api-key'] } })
  },
}))
