import { serve } from 'sentinel/sdk'
import { desk, js } from './agent.ts'

process.on('exit', () => desk.close())
await serve(js)
