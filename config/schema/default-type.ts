// What the compiler can say of a default before `readDefault` throws: nothing of this is there when the program runs.

/** One value as a file writes it. */
export type Written = string | number | boolean

/** Written as a text that is not empty. */
export type WrittenText = string & { readonly written: 'text' }

/** Written as a duration: "250ms", "1h30m". */
export type WrittenDuration = string & { readonly written: 'duration' }

/** Written as a number within these bounds, both allowed. */
export type WrittenNumber<Min extends number, Max extends number> = number & { readonly written: 'number', readonly from: Min, readonly to: Max }

/**
 * `D`, where a default that is written like this fits a type that is written as `W`. Otherwise what would fit, so that the compiler's message says it.
 * What is known only when the program runs fits.
 */
export type DefaultOf<W extends Written, D extends Written> =
  W extends WrittenText ? (D extends '' ? 'a text that is not empty (anyText takes an empty one)' : D extends string ? D : string)
    : W extends WrittenDuration ? (D extends string ? (IsDuration<D> extends true ? D : 'a duration with its unit, such as "30s"') : string)
      : W extends WrittenNumber<infer Min, infer Max> ? (D extends number ? (IsWithin<D, Min, Max> extends true ? D : `a number from ${Min} to ${Max}`) : number)
        : D extends W ? D : string extends D ? (W extends string ? D : W) : W

type IsDuration<D extends string> = string extends D ? true : D extends '' ? false : IsAmounts<D>

type IsAmounts<D extends string> =
  D extends '' ? true
    : D extends `${number}d${infer Rest}` ? IsAmounts<Rest>
      : D extends `${number}h${infer Rest}` ? IsAmounts<Rest>
        : D extends `${number}ms${infer Rest}` ? IsAmounts<Rest>
          : D extends `${number}m${infer Rest}` ? IsAmounts<Rest>
            : D extends `${number}s${infer Rest}` ? IsAmounts<Rest> : false

type IsWithin<N extends number, Min extends number, Max extends number> =
  Order<N, Min> extends 'less' ? false : Order<N, Max> extends 'more' ? false : true

/** How two numbers compare, as far as the compiler knows them; 'unknown' besides. */
type Order<A extends number, B extends number> = number extends A | B ? 'unknown' : OrderOfTexts<`${A}`, `${B}`>

type OrderOfTexts<A extends string, B extends string> =
  `${A} ${B}` extends `${string}e${string}` ? 'unknown' // 1e-7, 1e21
    : A extends `-${infer AbsA}` ? (B extends `-${infer AbsB}` ? OrderOfAmounts<AbsB, AbsA> : 'less')
      : B extends `-${string}` ? 'more' : OrderOfAmounts<A, B>

type OrderOfAmounts<A extends string, B extends string> =
  OrderOfDigits<Whole<A>, Whole<B>> extends infer O ? (O extends 'same' ? OrderOfFractions<Fraction<A>, Fraction<B>> : O) : never

type Whole<N extends string> = N extends `${infer I}.${string}` ? I : N
type Fraction<N extends string> = N extends `${string}.${infer F}` ? F : ''

/** The longer one is more; of the same length, the first digit that differs decides. */
type OrderOfDigits<A extends string, B extends string, First = 'same'> =
  A extends `${infer X}${infer RestA}` ? (B extends `${infer Y}${infer RestB}` ? OrderOfDigits<RestA, RestB, First extends 'same' ? OrderOfDigit<X, Y> : First> : 'more')
    : B extends '' ? First : 'less'

type OrderOfFractions<A extends string, B extends string> =
  A extends `${infer X}${infer RestA}`
    ? (B extends `${infer Y}${infer RestB}` ? (X extends Y ? OrderOfFractions<RestA, RestB> : OrderOfDigit<X, Y>) : 'more')
    : B extends '' ? 'same' : 'less'

type OrderOfDigit<X extends string, Y extends string> = X extends Y ? 'same' : '0123456789' extends `${string}${X}${string}${Y}${string}` ? 'less' : 'more'
