/** The tensors of a schedule while it is being made: named ones shared by all phases, generated ones of one phase. */
import type { ParameterInfo, Size, Tensor, TensorRole } from "../../runtime/program.ts";
import { axisExtent } from "../ir/axis-extent.ts";
import type { Axis } from "../ir/graph.ts";
import type { Operand } from "../ir/schedule.ts";

/** An axis with its size as the runtime evaluates it. */
export interface SizedAxis {
  readonly name: string;
  readonly size: Size;
}

export const sizedAxes = (axes: readonly Axis[]): readonly SizedAxis[] =>
  axes.map(({ name, size }) => ({ name, size: axisExtent(size) }));

/** Product with constants folded and nested products flattened; 1 for none. */
export function productSize(sizes: readonly Size[]): Size {
  let constant = 1;
  const open: Size[] = [];
  const take = (size: Size): void => {
    if (typeof size === "number") constant *= size;
    else if (typeof size === "object" && size[0] === "*") (size.slice(1) as Size[]).forEach(take);
    else open.push(size);
  };
  sizes.forEach(take);
  if (open.length === 0 || constant === 0) return constant;
  if (constant === 1 && open.length === 1) return open[0]!;
  return ["*", ...open, ...(constant === 1 ? [] : [constant])];
}

export class TensorTable {
  readonly #tensors: Tensor[] = [];
  readonly #byName = new Map<string, Tensor>();

  get tensors(): readonly Tensor[] {
    return this.#tensors;
  }

  /** Parameters and, for those that train, gradients: they exist whether or not a phase reads them. */
  addParameters(parameters: readonly ParameterInfo[]): void {
    for (const { path, shape } of parameters) this.named(path, "parameter", shape);
    for (const { path, shape, trainable } of parameters)
      if (trainable) this.named(`gradient:${path}`, "gradient", shape);
  }

  /** The tensor of that name, made when first asked for. Throws when it is known with another shape or role. */
  named(name: string, role: TensorRole, shape: readonly Size[], dtype: Tensor["dtype"] = "f32"): Operand {
    const known = this.#byName.get(name);
    if (known === undefined) return this.#add(name, role, shape, dtype);
    const count = (extents: readonly Size[]): string => JSON.stringify(productSize(extents));
    if (known.role !== role || known.dtype !== dtype || count(known.shape) !== count(shape))
      throw new Error(
        `tensor ${name} is ${known.role} ${JSON.stringify(known.shape)}, not ${role} ${JSON.stringify(shape)}`,
      );
    return { tensor: known.id };
  }

  /** A tensor of one phase; the name gets a number when it is taken. */
  activation(name: string, shape: readonly Size[], dtype: Tensor["dtype"] = "f32"): Operand {
    return this.#add(this.#fresh(name), "activation", shape, dtype);
  }

  #fresh(name: string): string {
    let taken = name;
    for (let n = 2; this.#byName.has(taken); n++) taken = `${name}.${n}`;
    return taken;
  }

  #add(name: string, role: TensorRole, shape: readonly Size[], dtype: Tensor["dtype"]): Operand {
    const tensor: Tensor = { id: this.#tensors.length, name, dtype, shape, role };
    this.#tensors.push(tensor);
    this.#byName.set(name, tensor);
    return { tensor: tensor.id };
  }
}
