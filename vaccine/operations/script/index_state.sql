EXECUTE {copy};
    EXECUTE {wanted};
    EXECUTE {state} INTO v_state;
    EXECUTE {drop};
