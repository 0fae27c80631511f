/** The bodies of commands over HTTP. The decorators are the one source: they guard each request and the OpenAPI document is made of them. */
import { IsBoolean, IsIn, IsInt, IsObject, IsOptional, IsString, Length, Matches, Max, Min } from 'class-validator';
import { Optional } from './optional.js';

const day = 24 * 3600;
const idPattern = /^[A-Za-z0-9_-]{1,64}$/;
const imagePattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;

export class LeaseDto {
  /** How long the lock is granted for. */
  @Optional() @IsInt() @Min(1) @Max(365 * day) leaseSeconds?: number;
}

export class DeadlineDto {
  /** How long the host may take before it is asked what it is doing. */
  @Optional() @IsInt() @Min(1) @Max(7 * day) deadlineSeconds?: number;
}

export class ReasonDto {
  @IsString() @Length(1, 1024) reason!: string;
}

export class CloneDto {
  @Optional() @IsString() @Length(1, 512) name?: string;
}

export class RefineDto {
  @Optional() @IsObject() description?: Record<string, unknown>;
  @Optional() @Matches(imagePattern) image?: string;
  @Optional() @IsIn(['any', 'v86', 'qemu', 'xen', 'vmware', 'simulated']) vmm?: string;
}

export class DeployDto extends DeadlineDto {
  @Optional() @Matches(idPattern) host?: string;
  @Optional() @Matches(imagePattern) image?: string;
  @Optional() @IsInt() @Min(1) @Max(365 * day) leaseSeconds?: number;
}

export class StartDto extends DeadlineDto {
  @Optional() @IsIn(['image', 'hot-image']) from?: 'image' | 'hot-image';
}

export class StopDto extends DeadlineDto {
  @Optional() @IsIn(['graceful', 'hard']) mode?: 'graceful' | 'hard';
  @Optional() @IsInt() @Min(0) @Max(day) graceSeconds?: number;
}

export class StealLockDto extends LeaseDto {
  @IsString() @Length(1, 1024) reason!: string;
}

export class SetLifetimeDto {
  /** An RFC 3339 date-time; null lets it live for ever. */
  @IsOptional() @IsString() @Length(1, 64) expiresAt?: string | null;
  @Optional() @IsInt() @Min(1) @Max(100 * 365 * day) seconds?: number;
}

export class RepairDto {
  @IsString() @Length(1, 1024) reason!: string;
  @Optional() @IsBoolean() discardHotImage?: boolean;
  @Optional() @Matches(imagePattern) image?: string;
}
