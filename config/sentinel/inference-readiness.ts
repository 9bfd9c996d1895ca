import { optionalBlock } from '../schema/blocks.ts'
import { inert, list, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { integer, numberBetween, oneOf, text } from '../schema/values.ts'
import { token, urlPath } from './types.ts'

const wait = durationWithin('1ms')
const inSeconds = { bareUnitMs: 1000 }
const timeout = setting(wait, '10s', 'Time for an answer.', { ...inSeconds, aliases: ['timeout-secs', 'timeout-ms'] })

const inferenceProbe = optionalBlock({
  endpoint: setting(urlPath, '/v1/completions', 'Path that is asked.'),
  model: required(text, 'Model that is asked.'),
  prompt: setting(text, '.', 'What is asked.'),
  maxTokens: setting(integer(1, 10_000), 1, 'Most tokens of the answer.'),
  timeout,
  maxLatency: optional(wait, 'An answer that takes longer counts as a failure.', { aliases: ['max-latency-ms'] }),
}, 'Ask for a short completion.', { example: 'inference-probe { model "gpt-4"; prompt "ping" }' })

const modelStatus = optionalBlock({
  endpointPattern: setting(urlPath, '/v1/models/{model}/status', 'Path that is asked, with {model} in it.'),
  models: list(text, [], 'Models whose status is asked for.', { min: 1 }),
  expectedStatus: setting(text, 'ready', 'Status that means well.'),
  statusField: setting(text, 'status', 'Member of the JSON answer that holds it.'),
  timeout,
}, 'Ask for the status of models.', { example: 'model-status { models "gpt-4" }' })

const queueDepth = optionalBlock({
  header: optional(token, 'Field of the answer\'s header that tells how many requests wait.'),
  bodyField: optional(text, 'Member of the JSON answer that tells it.'),
  endpoint: optional(urlPath, 'Path that is asked, where it is not that of the check.'),
  degradedThreshold: required(integer(1, 1_000_000), 'Waiting requests from which the target gets half its share.'),
  unhealthyThreshold: required(integer(1, 1_000_000), 'Waiting requests from which it gets none.'),
  timeout,
}, 'Look at how many requests wait.', {
  example: 'queue-depth { header "X-Queue-Depth"; degraded-threshold 50; unhealthy-threshold 200 }',
  build (value, here) {
    if (here.given('header') === here.given('bodyField') && here.clean) {
      here.report.error('CONFIG_CONTRADICTION', `${here.scope} needs either 'header' or 'body-field'`, here.given('header') ? here.where('header') : here.at)
    }
    if (value.degradedThreshold > value.unhealthyThreshold) {
      here.report.error('CONFIG_CONTRADICTION', `'degraded-threshold' of ${here.scope} is more than 'unhealthy-threshold'`, here.where('degradedThreshold'))
    }
    return value
  },
})

const warmthDetection = optionalBlock({
  sampleSize: setting(integer(1, 10_000), 10, 'Completions of `inference-probe` that the usual time is taken from (its median).'),
  coldThresholdMultiplier: setting(numberBetween(1, 1000), 3, 'How many times the usual time means cold.'),
  idleColdTimeout: inert(wait, 'Time without requests after which a target counts as cold.', 'each check asks for a completion, whose time shows whether the model is still loaded', { aliases: ['idle-cold-timeout-secs'] }),
  coldAction: setting(oneOf('log-only', 'mark-degraded', 'mark-unhealthy'), 'log-only', 'What being cold means: nothing but a line in the log, half its share, or a failed check.'),
}, 'Notice targets that have not loaded their model, by how long the completion of `inference-probe` takes.', { example: 'warmth-detection { cold-action "mark-degraded" }' })

/** Questions to a model server that go further than whether it answers. */
export const readiness = optionalBlock({ inferenceProbe, modelStatus, queueDepth, warmthDetection }, 'Whether a model server is ready to answer, not only there.', {
  example: 'readiness { inference-probe { model "gpt-4" } }',
  build (value, here) {
    if (value.warmthDetection !== undefined && value.inferenceProbe === undefined && here.clean) {
      here.report.warning('CONFIG_NO_EFFECT', `'warmth-detection' of ${here.scope} goes by the completions of 'inference-probe', and there is none`, here.where('warmthDetection'), 'write inference-probe { model "…" }')
    }
    return value
  },
})

