/** A contender cannot do what a case asks for: no failure, and the page says why. */
export class Unfit extends Error {}
