export { foundInAnswer, foundInRequest } from './shadowed.ts'
export { cannotBeJudged, eventOf, unseenFault } from './ask.ts'
export { askAsTheClientDid, inspectAnswer, inspectRequest } from './whole.ts'
