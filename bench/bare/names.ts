/** The yardstick's task queues: two, as ours are, so that what is compared is only what we add. */
export const BARE_QUEUE = 'bench-bare';
export const BARE_ACTIVITY_QUEUE = 'bench-bare-activity';
