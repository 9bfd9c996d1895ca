import { optionalBlock } from '../schema/blocks.ts'
import { list, optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { bool, integer, oneOf, ref, text, textLike } from '../schema/values.ts'
import { failureMode } from './failure-mode.ts'

const wait = durationWithin('1ms')

const common = {
  enabled: setting(bool, false, 'Whether the agent is asked.'),
  agent: required(ref('agent'), 'Who looks at the texts: an agent that describes the event guardrail. In another mode than enforce what it finds is recorded only.'),
  failureMode: setting(failureMode, 'closed', 'What a missing decision means: closed = refuse, open = go on.'),
}

const promptInjection = optionalBlock({
  ...common,
  action: setting(oneOf('block', 'log', 'warn'), 'block', 'block = refuse, warn = go on and say so in the field X-Guardrail-Warning of the answer, log = only record.'),
  blockStatus: setting(integer(400, 599), 400, 'Status of a refusal.'),
  blockMessage: optional(text, 'What a refusal says, as `error.message` of its JSON.'),
  timeout: setting(wait, '500ms', 'Time for the decision.', { aliases: ['timeout-ms'] }),
}, 'Look for questions that want to turn the model against its instructions.', {
  example: `prompt-injection {
    enabled #true
    agent "auth"
    action "block"
}`,
})

const piiDetection = optionalBlock({
  ...common,
  action: setting(oneOf('log', 'redact', 'block'), 'log', 'redact = take them out, block = refuse (403), log = only record. Streamed answers are held to their end for the first two; for log they pass as they come.'),
  categories: list(textLike('a kind of personal data', /^[A-Za-z][\w-]*$/, '"ssn" "credit-card" "email"'), [], 'Kinds of personal data; all that the agent knows without it.', { aliases: ['detect-types'] }),
  timeout: setting(wait, '1s', 'Time for the decision.', { aliases: ['timeout-ms'] }),
}, 'Look for personal data in answers.', {
  example: `pii-detection {
    enabled #true
    agent "waf"
    action "redact"
    categories "ssn" "credit-card"
}`,
})

export const guardrails = optionalBlock({ promptInjection, piiDetection }, 'Agents that look at questions and answers.', {
  example: `guardrails {
    prompt-injection {
        enabled #true
        agent "auth"
        action "block"
    }
    pii-detection {
        enabled #true
        agent "waf"
        action "redact"
        categories "ssn" "credit-card" "email"
    }
}`,
})
