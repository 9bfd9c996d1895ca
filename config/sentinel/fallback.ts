import type { KdlNode } from '../kdl/nodes.ts'
import { block, blocks, optionalBlock } from '../schema/blocks.ts'
import type { OlderForm } from '../schema/field.ts'
import { list, map, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { bool, integer, ref, text } from '../schema/values.ts'
import { provider } from './route-types.ts'
import { statusCode } from './types.ts'

/** `model-mapping "a" "b" "c" "d"`: pairs on one line. */
const inPairs: OlderForm = {
  doc: 'write model-mapping { "model" "other model" }',
  when: ({ args }) => args.length > 0 && args.length % 2 === 0 && args.every(({ value }) => typeof value === 'string'),
  into: node => [{
    ...node,
    args: [],
    children: [...node.children ?? [], ...node.args.flatMap((arg, index): KdlNode[] => {
      const to = node.args[index + 1]
      return index % 2 === 1 || to === undefined ? [] : [{ name: String(arg.value), at: arg.at, args: [to], props: [], children: undefined }]
    })],
  }],
}

const modelMapping = map(text, 'Which model to ask for there in place of which, "*" stands for any letters.')

const fallbackUpstream = blocks({
  upstream: required(ref('upstream'), 'Its name.'),
  provider: setting(provider, 'generic', 'Whose way of speaking it understands.'),
  skipIfUnhealthy: setting(bool, false, 'Leave it out while its targets are unwell.'),
  modelMapping,
}, 'An upstream to turn to; the first one first.', {
  args: ['upstream'],
  older: { 'model-mapping': inPairs },
  example: `fallback-upstream "canary" {
    provider "anthropic"
    model-mapping { "gpt-4*" "claude-3-opus" }
}`,
})

/** Each name becomes an upstream of its own. */
const named: OlderForm['into'] = node => {
  const one = { ...node, name: 'fallback-upstream' }
  return node.args.length < 2 ? [one] : node.args.map(arg => ({ ...one, at: arg.at, args: [arg] }))
}

const fields = {
  enabled: setting(bool, true, 'Whether to turn to others at all.'),
  maxAttempts: setting(integer(1, 100), 3, 'Upstreams that are tried altogether.'),
  triggers: block({
    onHealthFailure: setting(bool, true, 'When the targets are unwell.'),
    onBudgetExhausted: setting(bool, false, 'When the budget of tokens is used up.'),
    onLatencyThreshold: optional(durationWithin('1ms'), 'When the answer takes longer than this.', { aliases: ['on-latency-threshold-ms'] }),
    onErrorCodes: list(statusCode, [], 'When the answer has one of these statuses.'),
    onConnectionError: setting(bool, true, 'When no connection comes about.'),
  }, 'When to turn to another upstream.', {
    example: `triggers {
    on-error-codes 429 500 502 503
    on-latency-threshold "5s"
}`,
  }),
  fallbackUpstream,
  modelMapping,
}

export const fallback = optionalBlock(fields, 'Other upstreams to turn to when the route\'s own fails.', {
  older: {
    upstream: { doc: 'write fallback-upstream "name"', into: named },
    upstreams: { doc: 'write fallback-upstream "name", once for each', into: named },
    'model-mapping': inPairs,
  },
  example: `fallback {
    triggers {
        on-error-codes 429 500 502 503
        on-latency-threshold "5s"
    }
    fallback-upstream "canary" {
        provider "anthropic"
        model-mapping { "gpt-4*" "claude-3-opus" }
    }
}`,
  build (value, here) {
    const names = value.fallbackUpstream.map(({ upstream }) => upstream)
    const twice = value.fallbackUpstream.find(({ upstream }, index) => names.indexOf(upstream) < index)
    if (twice !== undefined) here.report.error('CONFIG_REPEATED', `${here.scope} names upstream '${twice.upstream}' twice`, twice.at, 'it would be asked again after it failed')
    return value
  },
})
