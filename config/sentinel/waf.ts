import { anything } from '../schema/fields.ts'

export const waf = anything('A firewall inside of the proxy. Use an agent of type `waf`.')
