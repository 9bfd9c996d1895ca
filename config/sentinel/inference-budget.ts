import type { KdlNode } from '../kdl/nodes.ts'
import { blocks, optionalBlock } from '../schema/blocks.ts'
import type { OlderForm } from '../schema/field.ts'
import { list, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { ValueType } from '../schema/value.ts'
import { bool, numberBetween, textLike, words } from '../schema/values.ts'
import { keyInTwo, rateKey } from './rate-key.ts'
import { cost, many } from './route-types.ts'

const periods = words(['hourly', 'daily', 'monthly'], { also: { hourly: ['hour'], daily: ['day'], monthly: ['month'] } })
const span = durationWithin('1s')

/** A word, or milliseconds. */
const period: ValueType<'hourly' | 'daily' | 'monthly' | number> = {
  name: 'period',
  expected: 'one of hourly, daily, monthly, or a duration',
  example: '"daily", "12h"',
  words: ['hourly', 'daily', 'monthly'],
  json: { type: 'string' },
  parse (raw, context) {
    // Old files write a number of seconds in quotes.
    const duration = span.parse(typeof raw === 'string' && /^\d+$/.test(raw) ? `${raw}s` : raw, context)
    return 'value' in duration ? duration : periods.parse(raw, context)
  },
}

const share: ValueType<number> = {
  ...numberBetween(0, 1),
  expected: 'a part of the budget, from 0 to 1',
  example: '0.8 0.95',
  parse (raw, context) {
    const result = numberBetween(0, 1).parse(raw, context)
    return 'wrong' in result && typeof raw === 'number' && raw > 1 && raw <= 100 ? { wrong: '', hint: `write ${raw / 100} for ${raw} %` } : result
  },
}

export const budget = optionalBlock({
  limit: optional(many, 'Tokens of one period.'),
  period: setting(period, 'daily', 'When counting begins anew.'),
  hourlyLimit: optional(many, 'Tokens of an hour, where several periods are counted.'),
  dailyLimit: optional(many, 'Tokens of a day.'),
  monthlyLimit: optional(many, 'Tokens of a month.'),
  key: optional(rateKey, 'Who has a budget of their own; without it there is one for all.'),
  alertThresholds: list(share, [0.8, 0.9, 0.95], 'Parts of the budget that are told of when they are used up.', { aliases: ['alert-threshold'] }),
  enforce: setting(bool, true, 'Refuse with 429 when nothing is left; otherwise only tell.'),
  rollover: setting(bool, false, 'Keep what is left for the next period.'),
  burstAllowance: optional(numberBetween(0, 10), 'Part of the budget that may be used beyond it.'),
  maxTenants: setting(many, 10_000, 'Budgets that are kept at a time.'),
}, 'Tokens that may be used in a period.', {
  older: { key: keyInTwo },
  example: `budget {
    limit 10_000_000
    period "monthly"
    key "header:X-Org-Id"
    alert-thresholds 0.8 0.95
}`,
  build (value, here) {
    const limits = (['limit', 'hourlyLimit', 'dailyLimit', 'monthlyLimit'] as const).filter(name => here.given(name))
    if (limits.length === 0) here.report.error('CONFIG_MISSING', `${here.scope} needs 'limit'`, here.at, 'write a number of tokens, for example limit 1_000_000')
    if (here.given('period') && !here.given('limit') && limits.length > 0) {
      here.report.warning('CONFIG_NO_EFFECT', `'period' of ${here.scope} says nothing without 'limit'`, here.where('period'))
    }
    const { hourlyLimit, dailyLimit, monthlyLimit } = value
    for (const [small, large, name, other, key] of [[hourlyLimit, dailyLimit, 'hourly-limit', 'daily-limit', 'hourlyLimit'], [dailyLimit, monthlyLimit, 'daily-limit', 'monthly-limit', 'dailyLimit']] as const) {
      if (small !== undefined && large !== undefined && small > large) here.report.error('CONFIG_CONTRADICTION', `'${name}' of ${here.scope} is more than '${other}'`, here.where(key))
    }
    return value
  },
})

/** Costs per thousand tokens are a thousandth of those per million. */
function perThousand (name: string): OlderForm {
  return {
    doc: `write ${name}, which is a thousand times as much`,
    into: (node: KdlNode) => [{
      ...node,
      name,
      args: node.args.map(arg => typeof arg.value === 'number' ? { ...arg, value: Number((arg.value * 1000).toPrecision(12)) } : arg),
    }],
  }
}

const olderCosts = { 'input-cost-per-1k': perThousand('input-cost-per-million'), 'output-cost-per-1k': perThousand('output-cost-per-million') }

const currency = textLike('a currency of three letters', /^[A-Za-z]{3}$/, '"USD"')

export const costAttribution = optionalBlock({
  enabled: setting(bool, true, 'Whether costs are counted.'),
  defaultInputCost: setting(cost, 1, 'A million tokens of a question, where the model has no price.'),
  defaultOutputCost: setting(cost, 2, 'A million tokens of an answer.'),
  currency: setting(currency, 'USD', 'What all of it is counted in.'),
  models: blocks({
    model: required(textLike('the name of a model, with * for any letters', /^\S+$/, '"gpt-4*"'), 'Its name.'),
    inputCostPerMillion: required(cost, 'A million tokens of a question.'),
    outputCostPerMillion: required(cost, 'A million tokens of an answer.'),
    currency: optional(currency, 'Where it differs.'),
  }, 'What a model costs; the first that fits counts.', { name: 'model', args: ['model'], within: ['pricing', 'models'], older: olderCosts,
    example: `pricing {
    model "gpt-4*" {
        input-cost-per-million 30.0
        output-cost-per-million 60.0
    }
}`,
  }),
}, 'Count what the tokens cost.', {
  example: `cost-attribution {
    pricing {
        model "gpt-4*" {
            input-cost-per-million 30.0
            output-cost-per-million 60.0
        }
    }
}`,
})
