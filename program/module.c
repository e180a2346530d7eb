/*
 * _plumbline: setns(2), which CPython has as os.setns from 3.12 on, and what the binary was built of. cni/libc.py and
 * cni/version.py are what uses them.
 */
#include "program.h"

#include <sched.h>

static PyObject *call_setns(PyObject *module, PyObject *arguments)
{
    int fd, type;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "ii", &fd, &type))
        return NULL;
    if (setns(fd, type) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"setns", call_setns, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_plumbline", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit__plumbline(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && PyModule_AddStringConstant(module, "BUILD", program_build) < 0)
        Py_CLEAR(module);
    return module;
}
