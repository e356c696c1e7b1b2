/** Something that waits for its turn. */
export interface Waiting {
  /** Who counts as one. */
  readonly household: string;
  readonly connection: object;
}

interface Household<Visit> {
  waiting: number;
  readonly lines: Map<object, Visit[]>;
}

/**
 * Who waits, in lines: one for each connection of each household. Households have their turns one after the other, and of each its
 * connections, so that whoever has sent much waits behind whoever has sent little; a line keeps its order.
 */
export class WaitingLines<Visit extends Waiting> {
  /** The one whose turn it is comes first; so in each household. */
  readonly #households = new Map<string, Household<Visit>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(visit: Visit): void {
    const { household, connection } = visit;
    const lines = this.#households.get(household) ?? { waiting: 0, lines: new Map() };
    this.#households.set(household, lines);
    const line = lines.lines.get(connection);
    if (line) line.push(visit);
    else lines.lines.set(connection, [visit]);
    lines.waiting += 1;
    this.#size += 1;
  }

  /** The next one of the first household that may come in now. */
  next(mayEnter: (household: string) => boolean): Visit | undefined {
    for (const [name, household] of this.#households) {
      if (!mayEnter(name)) continue;
      const [connection, line] = household.lines.entries().next().value ?? [];
      const visit = line?.shift();
      if (connection === undefined || line === undefined || visit === undefined) throw new Error('nobody waits in a household that has lines');
      household.lines.delete(connection);
      if (line.length > 0) household.lines.set(connection, line);
      this.#households.delete(name);
      this.#households.set(name, household);
      this.#counted(name, household, 1);
      return visit;
    }
    return undefined;
  }

  waitingOf(household: string): number {
    return this.#households.get(household)?.waiting ?? 0;
  }

  lengthOf({ household, connection }: Waiting): number {
    return this.#households.get(household)?.lines.get(connection)?.length ?? 0;
  }

  /** Takes the newest of the longest line out: that of this newcomer, unless another one is longer. Among all, of the household with the most. */
  takeNewest(newcomer: Visit, among: 'household' | 'all'): Visit {
    const name = among === 'all' ? this.#mostCrowded(newcomer.household) : newcomer.household;
    const household = this.#households.get(name);
    if (!household) return newcomer;
    let [connection, longest] = [newcomer.connection, household.lines.get(newcomer.connection)];
    for (const [other, line] of household.lines) if (line.length > (longest?.length ?? 0)) [connection, longest] = [other, line];
    const visit = longest?.pop();
    if (visit === undefined) return newcomer;
    if (longest?.length === 0) household.lines.delete(connection);
    this.#counted(name, household, 1);
    return visit;
  }

  /** This one waits no more. */
  remove(visit: Visit): void {
    const household = this.#households.get(visit.household);
    const line = household?.lines.get(visit.connection);
    const place = line?.indexOf(visit) ?? -1;
    if (!household || !line || place === -1) return;
    line.splice(place, 1);
    if (line.length === 0) household.lines.delete(visit.connection);
    this.#counted(visit.household, household, 1);
  }

  /** All that this connection has waiting is gone, and so is it. */
  leave(connection: object): void {
    for (const [name, household] of this.#households) {
      const line = household.lines.get(connection);
      if (!line) continue;
      household.lines.delete(connection);
      this.#counted(name, household, line.length);
    }
  }

  #mostCrowded(first: string): string {
    let [most, waiting] = [first, this.waitingOf(first)];
    for (const [name, household] of this.#households) if (household.waiting > waiting) [most, waiting] = [name, household.waiting];
    return most;
  }

  #counted(name: string, household: Household<Visit>, gone: number): void {
    household.waiting -= gone;
    this.#size -= gone;
    if (household.waiting === 0) this.#households.delete(name);
  }
}
