/** A field that may be left out. */
import { ValidateIf } from 'class-validator';

/** Unlike `IsOptional` it does not wave null through: what a command says goes into the log as it stands, and null is a value there. */
export const Optional = (): PropertyDecorator => ValidateIf((_, value) => value !== undefined);
