// node --import …/typescript.js: programs and tests of agents written in TypeScript, run as they are.
import { registerHooks } from './register.ts'

registerHooks()
