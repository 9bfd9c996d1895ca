export { LocalRates } from './rates.ts'
export type { Rates, RateSettings, RateVerdict } from './rates.ts'
