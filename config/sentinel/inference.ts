import { blocks, optionalBlock } from '../schema/blocks.ts'
import { notBuilt, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { bool, oneOf, ref, textLike, words } from '../schema/values.ts'
import { guardrails } from './guardrails.ts'
import { budget, costAttribution } from './inference-budget.ts'
import { keyInTwo, rateKey } from './rate-key.ts'
import { many, priority, provider } from './route-types.ts'
import { token } from './types.ts'

const estimation = words(['chars', 'words', 'tiktoken'], { also: { chars: ['characters'] } })

const rateLimit = optionalBlock({
  tokensPerMinute: required(many, 'Tokens of a minute.'),
  requestsPerMinute: optional(many, 'Requests of a minute.'),
  burstTokens: setting(many, 10_000, 'Tokens that may be used at once.'),
  estimationMethod: setting(estimation, 'chars', 'How the tokens of a question are guessed before they are known.'),
  key: optional(rateKey, 'Whose tokens are counted together; the whole route\'s without it.'),
}, 'Tokens in a time; more get 429.', {
  older: { key: keyInTwo },
  example: `rate-limit {
    tokens-per-minute 100_000
    key "header:X-Api-Key"
}`,
})

const routing = optionalBlock({
  strategy: setting(oneOf('least-tokens-queued', 'round-robin', 'least-latency'), 'least-tokens-queued', 'How a target is picked.'),
  queueDepthHeader: optional(token, 'Header field of answers in which targets tell how much is waiting.'),
}, 'How a target is picked, by what models have to do.', { example: 'routing { strategy "least-latency" }' })

const modelName = textLike('the name of a model, with * for any letters', /^\S+$/, '"gpt-4*"')

const modelRouting = optionalBlock({
  models: blocks({
    model: required(modelName, 'Its name.'),
    upstream: required(ref('upstream'), 'Who has it.'),
    provider: optional(provider, 'Whose way of speaking the upstream understands.'),
    weight: setting(many, 1, 'Its share, where several of one name are given.'),
  }, 'Where a model is; the first that fits counts.', { name: 'model', aliases: ['mapping'], within: ['mappings'], args: ['model'],
    example: 'model "gpt-4*" upstream="backend" provider="openai"',
  }),
  defaultUpstream: optional(ref('upstream'), 'Where other models are; the route\'s `upstream` without it.'),
  modelHeader: optional(token, 'Header field that names the model, beside the body.'),
}, 'Another upstream for some models.', {
  older: { route: { doc: 'write model "name" upstream="name"', into: node => [{ ...node, name: 'model' }] } },
  example: `model-routing {
    model "gpt-4*" upstream="backend" provider="openai"
    model "claude-*" upstream="canary" provider="anthropic"
    default-upstream "backend"
}`,
  build (value, here) {
    const all = value.models.findIndex(({ model }) => model === '*')
    const after = all < 0 ? undefined : value.models.slice(all + 1).find(({ model }) => model !== '*')
    if (after !== undefined) {
      here.report.warning('CONFIG_NO_EFFECT', `model "${after.model}" of ${here.scope} never counts: "*" before it takes every model`, after.at, 'put "*" last')
    }
    return value
  },
})

export const inference = optionalBlock({
  provider: notBuilt(setting(provider, 'generic', 'Whose way of speaking the upstream understands.')),
  modelHeader: notBuilt(optional(token, 'Header field that names the model, beside the body.')),
  rateLimit: notBuilt(rateLimit),
  budget: notBuilt(budget),
  costAttribution: notBuilt(costAttribution),
  routing: notBuilt(routing),
  modelRouting: notBuilt(modelRouting),
  guardrails,
  streaming: notBuilt(setting(bool, true, 'Whether answers may come piece by piece.')),
  tokenEstimation: notBuilt(optional(estimation, 'How tokens are guessed, for the rate limit and the budget.')),
  priority: notBuilt(optional(priority, 'Which requests go first when some have to wait.')),
  queueTimeout: notBuilt(optional(durationWithin('1ms'), 'How long a request may wait.', { aliases: ['queue-timeout-ms', 'queue-timeout-secs'] })),
}, 'Requests to language models: look texts through, count tokens, and choose by model.', {
  example: `inference {
    guardrails {
        prompt-injection {
            enabled #true
            agent "auth"
        }
    }
}`,
})
