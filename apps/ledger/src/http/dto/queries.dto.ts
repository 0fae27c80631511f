/** The query strings of reads, guarded like bodies. Numbers arrive as text. */
import 'reflect-metadata';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsString, Length, Matches, Max, Min } from 'class-validator';
import { Optional } from './optional.js';

const idPattern = /^[A-Za-z0-9_-]{1,64}$/;
const imagePattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;

export class AfterDto {
  /** A position that the answer must have seen: read your own writes. */
  @Optional() @Type(() => Number) @IsInt() @Min(0) @Max(Number.MAX_SAFE_INTEGER) after?: number;
}

export class PageDto extends AfterDto {
  @Optional() @Type(() => Number) @IsInt() @Min(1) @Max(1000) limit?: number;
  @Optional() @IsString() @Length(1, 1024) cursor?: string;
}

export class ListWorkspacesDto extends PageDto {
  @Optional() @IsIn(['shutdown', 'running', 'paused', 'corrupted']) state?:
    'shutdown' | 'running' | 'paused' | 'corrupted';
  @Optional() @IsIn(['active', 'retired']) definition?: 'active' | 'retired';
  @Optional() @IsString() @Length(1, 512) owner?: string;
  @Optional() @IsString() @Length(1, 512) holder?: string;
  @Optional() @Matches(idPattern) host?: string;
  @Optional() @IsString() @Length(1, 512) name?: string;
}

export class ListOperationsDto extends PageDto {
  @Optional() @IsIn(['open', 'done', 'failed', 'overridden']) status?: 'open' | 'done' | 'failed' | 'overridden';
  @Optional() @Matches(idPattern) workspace?: string;
}

export class CreateQueryDto {
  /** An image of the repository to use, whatever the description names. */
  @Optional() @Matches(imagePattern) image?: string;
  /** The file's name, as a hint to its form. */
  @Optional() @IsString() @Length(1, 255) filename?: string;
}

export class AddImageDto {
  @Matches(imagePattern) name!: string;
  /** `auto` looks for a multiboot header. */
  @Optional() @IsIn(['kernel', 'disk', 'auto']) kind?: 'kernel' | 'disk' | 'auto';
  @Optional() @Matches(/^[a-z0-9_]{1,32}$/) architecture?: string;
}

export class SerialDto {
  /** The first byte wanted. */
  @Optional() @Type(() => Number) @IsInt() @Min(0) @Max(Number.MAX_SAFE_INTEGER) from?: number;
}

export class EventsDto extends AfterDto {
  @Optional() @Matches(idPattern) workspace?: string;
}
