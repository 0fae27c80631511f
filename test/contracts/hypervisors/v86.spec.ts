import { hypervisorContract } from './suite.js';

hypervisorContract('v86');
