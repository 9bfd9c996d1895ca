// An agent that does what the request's `x-script` header says (JSON: a step for each phase). Written on the SDK as an outsider would.
import { block, defineAgent, list, serve, setting, text } from 'sentinel/sdk'
import { perform, scriptOf } from './perform.ts'

const scripted = defineAgent({
  name: 'scripted',
  version: '1.0.0',
  setsHeaders: ['x-user'],
  config: {
    greeting: setting(text, 'hello', 'Sent to the upstream as x-greeting.'),
    words: list(text, [], 'Sent to the upstream as x-words.'),
  },
  async onRequest (request, context) {
    request.headers.set('x-greeting', context.config.greeting)
    if (context.config.words.length > 0) request.headers.set('x-words', context.config.words.join(','))
    const user = context.attributes.get('user')
    if (user !== undefined) request.headers.set('x-seen-user', user)
    const script = scriptOf(request)
    if (script.late === true && Buffer.from(await request.body({ max: '1MiB' })).includes('forbidden')) return block(403, { body: 'late' })
    return perform(script.request, context)
  },
  onResponse (_response, request, context) {
    return perform(scriptOf(request).response, context)
  },
  onComplete (summary, request, context) {
    context.log.info({ completed: request.id, status: summary.status, path: request.path }, 'complete')
  },
})

await serve(scripted)
