import { pl } from "nodejs-polars";

/** Of the Polars binding, such as `0.25.2`. */
export const polarsVersion = String(pl.version);
