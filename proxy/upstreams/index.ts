export { createUpstream } from './upstream.ts'
export type { TargetSettings, TargetState, Upstream, UpstreamSettings } from './upstream.ts'
export type { UpstreamTls } from './dial.ts'
export { balancers, type Balancer, type BalancerName } from './balancers/index.ts'
