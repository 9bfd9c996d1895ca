import { anything } from '../schema/fields.ts'

export const rateLimits = anything('Requests in a time.')
