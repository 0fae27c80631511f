/** The query strings of reads, guarded like bodies. Numbers arrive as text. */
import 'reflect-metadata';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Length, Matches, Max, Min } from 'class-validator';

const idPattern = /^[A-Za-z0-9_-]{1,64}$/;
const imagePattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;

export class AfterDto {
  /** A position that the answer must have seen: read your own writes. */
  @IsOptional() @Type(() => Number) @IsInt() @Min(0) @Max(Number.MAX_SAFE_INTEGER) after?: number;
}

export class PageDto extends AfterDto {
  @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(1000) limit?: number;
  @IsOptional() @IsString() @Length(1, 1024) cursor?: string;
}

export class ListWorkspacesDto extends PageDto {
  @IsOptional() @IsIn(['shutdown', 'running', 'paused', 'corrupted']) state?:
    'shutdown' | 'running' | 'paused' | 'corrupted';
  @IsOptional() @IsIn(['active', 'retired']) definition?: 'active' | 'retired';
  @IsOptional() @IsString() @Length(1, 512) owner?: string;
  @IsOptional() @IsString() @Length(1, 512) holder?: string;
  @IsOptional() @Matches(idPattern) host?: string;
  @IsOptional() @IsString() @Length(1, 512) name?: string;
}

export class ListOperationsDto extends PageDto {
  @IsOptional() @IsIn(['open', 'done', 'failed', 'overridden']) status?: 'open' | 'done' | 'failed' | 'overridden';
  @IsOptional() @Matches(idPattern) workspace?: string;
}

export class CreateQueryDto {
  /** An image of the repository to use, whatever the description names. */
  @IsOptional() @Matches(imagePattern) image?: string;
  /** The file's name, as a hint to its form. */
  @IsOptional() @IsString() @Length(1, 255) filename?: string;
}

export class AddImageDto {
  @Matches(imagePattern) name!: string;
  /** `auto` looks for a multiboot header. */
  @IsOptional() @IsIn(['kernel', 'disk', 'auto']) kind?: 'kernel' | 'disk' | 'auto';
  @IsOptional() @Matches(/^[a-z0-9_]{1,32}$/) architecture?: string;
}

export class SerialDto {
  /** The first byte wanted. */
  @IsOptional() @Type(() => Number) @IsInt() @Min(0) @Max(Number.MAX_SAFE_INTEGER) from?: number;
}

export class EventsDto extends AfterDto {
  @IsOptional() @Matches(idPattern) workspace?: string;
}
