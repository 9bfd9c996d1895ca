import type { AgentConfig, RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import type { GuardrailSettings } from '../decisions/guardrails/index.ts'
import type { Filter } from '../pipeline/exchange.ts'
import type { RouteSurroundings } from './compile-route.ts'

type Guardrails = NonNullable<RouteConfig['guardrails']>
type Guardrail = NonNullable<Guardrails['promptInjection'] | Guardrails['piiDetection']>

/** Whether something of a route is looked through. */
export function isGuarded ({ guardrails }: Pick<RouteConfig, 'guardrails'>): boolean {
  return guardrails?.promptInjection?.enabled === true || guardrails?.piiDetection?.enabled === true
}

/** What looks through texts on their way to a model and back, last before the upstream: what agents have made of them counts. */
export function guardrailSteps (route: RouteConfig, config: SentinelConfig, around: RouteSurroundings): Filter[] {
  const { guardrails } = around.parts
  const { promptInjection, piiDetection } = route.guardrails ?? {}
  if (guardrails === undefined) return []
  const common = (guardrail: Guardrail, inspection: GuardrailSettings['inspection']) => {
    const agent = config.agents.find(({ id }) => id === guardrail.agent)! // References were checked at load.
    return {
      inspection,
      client: around.agents.get(agent.id)!.client,
      agentId: agent.id,
      mode: agent.mode,
      action: guardrail.action,
      failureMode: guardrail.failureMode,
      timeoutMs: guardrail.timeout,
      bodyOver: agent.bodyOver,
      observe: (outcome) => around.metrics.table.guardrails.cell(route.id, inspection, outcome).add(),
      ...perKind(guardrail, agent),
    } satisfies GuardrailSettings
  }
  return [
    ...promptInjection?.enabled === true ? [guardrails.promptInjectionFilter(common(promptInjection, 'prompt_injection'))] : [],
    ...piiDetection?.enabled === true ? [guardrails.piiFilter(common(piiDetection, 'pii'))] : [],
  ]
}

function perKind (guardrail: Guardrail, { maxRequestBodySize, maxResponseBodySize }: AgentConfig): Pick<GuardrailSettings, 'maxBytes' | 'categories' | 'blockStatus' | 'blockMessage'> {
  return 'categories' in guardrail
    ? { maxBytes: maxResponseBodySize, categories: guardrail.categories, blockStatus: 403, blockMessage: undefined }
    : { maxBytes: maxRequestBodySize, categories: [], blockStatus: guardrail.blockStatus, blockMessage: guardrail.blockMessage }
}
