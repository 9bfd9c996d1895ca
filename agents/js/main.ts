import { serve } from 'sentinel/sdk'
import { jsAgent } from './agent.ts'

const { agent, close } = jsAgent(process.env)
process.on('exit', close)
await serve(agent)
