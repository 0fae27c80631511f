import { hypervisorContract } from './suite.js';

hypervisorContract('simulated');
