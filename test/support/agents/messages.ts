// An agent that does with each message of a WebSocket what its text says: "drop", "replace with:TEXT", "close:4001:REASON", "sleep:MS:TEXT" …
// Written on the SDK as an outsider would.
import { setTimeout as pause } from 'node:timers/promises'
import { allow, block, close, defineAgent, drop, flag, optional, redact, replace, serve, setting, text, type MaybeMessageAnswer } from 'sentinel/sdk'

const messages = defineAgent({
  name: 'messages',
  config: {
    mark: optional(text, 'Put behind every text that passes.'),
    direction: setting(text, 'both', 'Whose messages it looks at: from-client, from-upstream, both.'),
  },
  async onWebSocketMessage (message, request, context): Promise<MaybeMessageAnswer> {
    const { mark, direction } = context.config
    context.log.info({ direction: message.direction, binary: message.binary, bytes: message.data.length, text: message.text.slice(0, 100), path: request.path }, 'message')
    if (direction !== 'both' && message.direction !== direction) return undefined
    const [word = '', first = '', second = ''] = message.text.slice(0, 1_000).split(':')
    switch (word) {
      case 'drop': return drop().with({ attributes: { dropped: first }, audit: { reason: 'spam', ruleIds: ['w-1'], severity: 'low' } })
      case 'replace with': return replace(first)
      case 'replace with bytes': return replace(Buffer.from(first, 'hex'))
      case 'redact to': return redact({ replaceBody: first })
      case 'close': return close(Number(first), second, { audit: { reason: 'rude' } })
      case 'block': return block(403, { audit: { reason: 'forbidden' } })
      case 'flag': return flag({ audit: { tags: ['seen'] } })
      case 'throw': throw new Error('the message says so')
      case 'never': return new Promise<undefined>((resolve) => context.signal.addEventListener('abort', () => { context.log.info('aborted'); resolve(undefined) }))
      case 'more time': context.moreTime(5_000); await pause(Number(first)); return undefined
      case 'sleep': await pause(Number(first)); break
      case 'crash': process.exit(1)
      case 'attribute': context.attributes.set('topic', first); return allow()
      case 'done': message.done(); return undefined
    }
    return mark === undefined || message.binary ? undefined : replace(message.text + mark)
  },
  onComplete (summary, request, context) {
    context.log.info({ status: summary.status, path: request.path, in: summary.requestBodyBytes, out: summary.responseBodyBytes, error: summary.error }, 'complete')
  },
})

await serve(messages)
