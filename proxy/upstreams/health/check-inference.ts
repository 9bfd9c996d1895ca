import type { HeaderList } from '../../pipeline/headers.ts'
import type { Answer, Asker } from './question.ts'
import type { CheckResult, CompletionQuestion, InferenceCheck, ModelStatusQuestion, QueueDepthQuestion } from './settings.ts'

interface Finding {
  readonly healthy: boolean
  readonly degraded?: boolean
  readonly why: string
}

const json = { Accept: 'application/json' }

/** With the time of the completion, where one was asked for and given. */
export interface InferenceResult extends CheckResult {
  readonly completionMs?: number
}

/** Whether the models are there, and whether they answer. The first thing that speaks against the target is what is said of it. */
export async function checkInference (target: Asker, check: InferenceCheck): Promise<InferenceResult> {
  const startedMs = performance.now()
  const { endpoint, expectedModels, timeoutMs, modelStatus, queueDepth, completion } = check
  const answer = await target.ask({ method: 'GET', path: endpoint, headers: json, timeoutMs })
  const findings = [listed(answer, expectedModels)]
  const goOn = (): boolean => findings.every(({ healthy }) => healthy)
  if (goOn() && modelStatus !== undefined) findings.push(await askStatus(target, modelStatus))
  if (goOn() && queueDepth !== undefined) findings.push(await askQueue(target, queueDepth, answer))
  let completionMs: number | undefined
  if (goOn() && completion !== undefined) {
    const asked = await askCompletion(target, completion)
    findings.push(asked.finding)
    completionMs = asked.ms
  }
  const worst = findings.find(({ healthy }) => !healthy) ?? findings.find(({ degraded }) => degraded === true) ?? findings[0]!
  return {
    healthy: worst.healthy, degraded: worst.degraded === true, why: worst.why, ms: performance.now() - startedMs,
    ...completionMs === undefined ? {} : { completionMs },
  }
}

/** OpenAI's form, `{ data: [{ id }] }`, which model servers have taken over, and Ollama's `{ models: [{ name }] }`. */
function listed ({ status, body }: Answer, expected: readonly string[]): Finding {
  if (status < 200 || status > 299) return { healthy: false, why: `status ${status}` }
  if (expected.length === 0) return { healthy: true, why: `status ${status}` }
  const list = memberOf(parsed(body), 'data') ?? memberOf(parsed(body), 'models')
  if (!Array.isArray(list)) return { healthy: false, why: 'the answer is no list of models' }
  const names = new Set(list.flatMap((one: unknown) => [memberOf(one, 'id'), memberOf(one, 'name'), memberOf(one, 'model')]))
  const missing = expected.filter((model) => !names.has(model))
  return missing.length === 0 ? { healthy: true, why: 'all models are there' } : { healthy: false, why: `models are missing: ${missing.join(', ')}` }
}

async function askStatus (target: Asker, question: ModelStatusQuestion): Promise<Finding> {
  const { endpointPattern, models, statusField, expectedStatus, timeoutMs } = question
  for (const model of models) {
    const path = endpointPattern.replaceAll('{model}', encodeURIComponent(model))
    const { status, body } = await target.ask({ method: 'GET', path, headers: json, timeoutMs })
    if (status < 200 || status > 299) return { healthy: false, why: `status ${status} for the model ${model}` }
    const told = fieldOf(parsed(body), statusField)
    if (told !== expectedStatus) return { healthy: false, why: `the model ${model} is ${typeof told === 'string' ? `"${told.slice(0, 100)}"` : 'in no known status'}` }
  }
  return { healthy: true, why: 'all models are ready' }
}

async function askQueue (target: Asker, question: QueueDepthQuestion, listAnswer: Answer): Promise<Finding> {
  const { endpoint, timeoutMs, degradedThreshold, unhealthyThreshold } = question
  const { headers, body } = endpoint === undefined ? listAnswer : await target.ask({ method: 'GET', path: endpoint, headers: json, timeoutMs })
  const waiting = depthIn(headers, body, question)
  // A target that does not tell is not worse than one without this question.
  if (!Number.isFinite(waiting)) return { healthy: true, degraded: false, why: 'it does not tell how many requests wait' }
  if (waiting >= unhealthyThreshold) return { healthy: false, why: `${waiting} requests wait` }
  return { healthy: true, degraded: waiting >= degradedThreshold, why: `${waiting} requests wait` }
}

function depthIn (headers: HeaderList, body: Buffer, { header, bodyField }: QueueDepthQuestion): number {
  const told = header === undefined ? fieldOf(parsed(body), bodyField ?? '') : headers.get(header.toLowerCase())
  return typeof told === 'number' || typeof told === 'string' && told.trim() !== '' ? Number(told) : Number.NaN
}

async function askCompletion (target: Asker, question: CompletionQuestion): Promise<{ finding: Finding, ms: number }> {
  const { endpoint, model, prompt, maxTokens, timeoutMs, maxLatencyMs } = question
  // The path says which of the two forms the server wants.
  const asked = endpoint.includes('chat') ? { messages: [{ role: 'user', content: prompt }] } : { prompt }
  const { status, ms } = await target.ask({
    method: 'POST', path: endpoint, timeoutMs, headers: { ...json, 'Content-Type': 'application/json' },
    body: Buffer.from(JSON.stringify({ model, ...asked, max_tokens: maxTokens })),
  })
  if (status < 200 || status > 299) return { finding: { healthy: false, why: `status ${status} for a completion` }, ms }
  if (maxLatencyMs !== undefined && ms > maxLatencyMs) return { finding: { healthy: false, why: `a completion took ${Math.round(ms)} ms` }, ms }
  return { finding: { healthy: true, why: 'it completes' }, ms }
}

function parsed (body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}

function memberOf (value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined
}

/** "queue.waiting" is a member of a member. */
function fieldOf (value: unknown, path: string): unknown {
  return path.split('.').reduce(memberOf, value)
}
