/** `/v1/operations`, `/v1/locks`, `/v1/hosts`: what the views say. */
import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import type { HostView, LockView, OperationView, Page } from '@vw/contracts';
import { isId, type WorkspaceId } from '@vw/domain';
import { rfc3339 } from '@vw/runtime';
import type { Ledger } from '../../ledger.js';
import { decodeCursor, encodeCursor } from '../cursor.js';
import { AfterDto, ListOperationsDto, PageDto } from '../dto/queries.dto.js';
import { notFound } from '../problem.js';
import { LEDGER, seen } from '../reading.js';
import { operationView } from '../render/views.js';

const defaultPage = 100;

@Controller('v1')
export class ReadsController {
  constructor(@Inject(LEDGER) private readonly ledger: Ledger) {}

  @Get('operations')
  async operations(@Query() query: ListOperationsDto): Promise<Page<OperationView>> {
    await seen(this.ledger, query.after);
    const { views } = this.ledger.ports;
    const filter = { status: query.status, workspaceId: query.workspace as WorkspaceId | undefined };
    const paging = { limit: query.limit ?? defaultPage, after: decodeCursor(filter, query.cursor) };
    const { items, next } = views.operations({ ...filter, ...paging });
    const nextCursor = next === undefined ? undefined : encodeCursor(filter, next);
    return { items: items.map(operationView), nextCursor, position: views.position() };
  }

  @Get('operations/:workspaceId/:requestId')
  async operation(
    @Param('workspaceId') workspaceId: string,
    @Param('requestId') requestId: string,
    @Query() query: AfterDto,
  ): Promise<OperationView> {
    await seen(this.ledger, query.after);
    const known = isId(workspaceId) && isId(requestId);
    const row = known ? this.ledger.ports.views.operation(workspaceId, requestId) : undefined;
    if (row === undefined) throw notFound({ operation: `${workspaceId}/${requestId}` });
    return operationView(row);
  }

  @Get('locks')
  async locks(@Query() query: PageDto): Promise<Page<LockView>> {
    await seen(this.ledger, query.after);
    const { views } = this.ledger.ports;
    const which = { list: 'locks' };
    const { items, next } = views.locks({
      limit: query.limit ?? defaultPage,
      after: decodeCursor(which, query.cursor),
    });
    return {
      items: items.map(({ workspaceId, name, holder, epoch, leaseUntil, hostId }) => ({
        workspaceId,
        name,
        holder,
        epoch,
        leaseUntil: rfc3339(leaseUntil),
        hostId,
      })),
      nextCursor: next === undefined ? undefined : encodeCursor(which, next),
      position: views.position(),
    };
  }

  @Get('hosts')
  async hosts(@Query() query: AfterDto): Promise<Page<HostView>> {
    await seen(this.ledger, query.after);
    const { views } = this.ledger.ports;
    const items = views.hosts().map(({ state, workspaces }): HostView => {
      const { hostId, kind, bootId, capacity, lastHeard } = state;
      const heard = this.ledger.hostWatch.lastHeard(hostId) ?? lastHeard;
      const status = kind === 'connected' ? 'connected' : 'lost';
      return {
        hostId,
        status,
        bootId,
        ...capacity,
        workspaces,
        lastHeard: heard === undefined ? null : rfc3339(heard),
      };
    });
    return { items, position: views.position() };
  }
}
