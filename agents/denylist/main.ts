import { serve } from 'sentinel/sdk'
import { denylist } from './denylist.ts'

await serve(denylist)
