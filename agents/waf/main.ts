#!/usr/bin/env node
import { serve } from 'sentinel/sdk'
import { waf } from './agent.ts'

await serve(waf)
