
/*
 * Copyright (C) The nginx-enroll authors
 */


#include "enroll_outcome.h"


static const enroll_outcome_t  enroll_outcomes[] = {
#define ENROLL_OUTCOME_ROW(name, class, http, scep, cmc, reason, text)        \
    { ENROLL_CLASS_##class, http, scep, cmc, reason, text },
    ENROLL_OUTCOMES(ENROLL_OUTCOME_ROW)
#undef ENROLL_OUTCOME_ROW
};


const enroll_outcome_t *
enroll_outcome(enroll_outcome_e outcome)
{
    return &enroll_outcomes[outcome];
}
