/** A point in time since the epoch; `nanoseconds` is 0 to 999,999,999 and counts forward. */
export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}
