/** Bodies and queries are judged by their DTO: unknown fields are refused, and each fault names its field and what was expected. */
import { ValidationPipe } from '@nestjs/common';
import type { ValidationError } from 'class-validator';
import { problem } from './problem.js';

export const validation = new ValidationPipe({
  whitelist: true,
  forbidNonWhitelisted: true,
  forbidUnknownValues: true,
  transform: true,
  exceptionFactory: (errors) => {
    const problems = errors.flatMap(faults);
    const detail = problems.map(({ message }) => message).join('; ');
    return problem(422, 'INVALID', detail, { problems });
  },
});

function faults({
  property,
  constraints = {},
  children = [],
}: ValidationError): { code: string; message: string; where: { field: string } }[] {
  const own = Object.entries(constraints).map(([code, message]) => ({ code, message, where: { field: property } }));
  return [...own, ...children.flatMap(faults)];
}
