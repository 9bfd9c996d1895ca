import { anything } from '../schema/fields.ts'

export const cache = anything('Kept answers of all routes.')
